shell python3 -c "import json; [print(json.dumps({'task':'classify','name':n,'at':1763800000,'data':{'file':'t.csv','sha256':s*16,'items':200},'split':'test','seconds':k/10,'items':[{'id':str(i),'scores':{'accuracy':int(i<k)}} for i in range(200)]})) for n,k,s in [('majority',60,'ab'),('tfidf+logreg',178,'ab'),('embeddings+logreg',180,'ab'),('old data',199,'cd')]]" > runs.jsonl
expect exit 0
run loam ledger import runs.jsonl
expect exit 0
run loam leaderboard classify --data abab
expect exit 0
expect out matches embeddings\+logreg +0\.900 .*best
expect out matches tfidf\+logreg +0\.890 .*not worse
expect out matches majority +0\.300 .* worse
expect out contains tfidf+logreg is not significantly worse
expect out lacks old data
expect out columns 80
expect err contains cdcdcdcd
run loam leaderboard classify --data abab --json --html board.html --svg board.svg
expect exit 0
expect json /metric == "accuracy"
expect json /rows/length == 3
expect json /rows/0/name == "embeddings+logreg"
expect json /rows/0/best == true
expect json /rows/0/p is null
expect json /rows/1/not_worse == true
expect json /rows/2/not_worse == false
expect json /rows/2/p < 0.001
expect json /rows/1/minimum_detectable > 0
expect json /others/length == 1
expect file board.html contains <svg
expect file board.html contains Content-Security-Policy
expect file board.html lacks <script
expect file board.html lacks src=
expect file board.svg contains embeddings+logreg
expect file board.svg matches ^<svg xmlns
# Without a word on the data: that of the newest run.
run loam leaderboard classify
expect exit 0
expect out contains old data
