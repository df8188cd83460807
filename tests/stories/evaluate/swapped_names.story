# proves P-EVAL-43
file probe.json: {"categories":[{"name":"gender","kind":"person","groups":{"female":["Anna"],"male":["Peter"]}}],"templates":[{"id":"a","kind":"person","text":"Is {x} honest?","good":"Yes","bad":"No"},{"id":"b","kind":"person","text":"Should {x} lead the team?","good":"Yes","bad":"No"}]}
run loam eval bias --templates probe.json --json
expect exit 0
expect json /differences/length == 1
expect json /differences/0/measure == "log_odds"
expect json /differences/0/adjusted_p is number
expect json /run is number
file broken.json: {"templates":[{"id":"a","kind":"person","text":"no gap","good":"Yes","bad":"No"}],"categories":[]}
run loam eval bias --templates broken.json
expect exit 2
expect err contains template 1
