# Runs that were scored elsewhere come in as JSON lines; 40 items, one right in the first and 30 in the second.
shell python3 -c "import json; [print(json.dumps({'task':'classify','name':n,'at':1763800000,'data':{'file':'t.csv','sha256':'ab','items':40},'items':[{'id':str(i),'scores':{'accuracy':int(i<k)}} for i in range(40)]})) for n,k in [('old',10),('new',30),('twin',30)]]" > runs.jsonl
expect exit 0
run loam ledger import runs.jsonl
expect exit 0
expect out is 3 runs added: 1, 2, 3
run loam compare 1 2
expect exit 0
expect out contains new
expect out contains 0.7500
expect out contains exact McNemar
expect out columns 80
expect err empty
run loam compare 1 2 --json
expect exit 0
expect json /metric == "accuracy"
expect json /a/run == 1
expect json /a/value == 0.25
expect json /b/name == "new"
expect json /difference/value == 0.5
expect json /difference keys value low high
expect json /difference/low > 0.2
expect json /p < 0.001
expect json /n == 40
expect json /minimum_detectable > 0
expect json /sentence contains "new"
expect json /left_out/a == 0
# Nothing to tell apart: still status 0, and said so.
run loam compare 2 3 --json
expect exit 0
expect json /difference/value == 0
expect json /p == 1
