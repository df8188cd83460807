file a.md: Words about tea.
run loam collections
expect exit 1
expect out contains loam ingest
run loam ingest -c drinks a.md
run loam ingest -c other a.md
run loam collections list --json
expect exit 0
expect json /collections/length == 2
expect json /collections/0/name == "drinks"
expect json /collections/0/documents == 1
run loam collections rm drinks
expect exit 0
expect out contains Removed collection "drinks" with 1 document.
expect file a.md contains tea
run loam collections rm drinks
expect exit 2
expect err contains there is no such collection
run loam collections --json
expect json /collections/length == 1
