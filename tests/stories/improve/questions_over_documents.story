# Every trial is in the ledger, and what stands there is not measured again.
file make.py:
    import json
    questions = open('questions.jsonl', 'w')
    for n in range(40):
        open('room%d.md' % n, 'w').write('The room number %d has %d windows and a view of the yard.\n' % (100 + n, 3 + n))
        questions.write(json.dumps({'id': 'q%d' % n, 'question': 'How many windows does the room number %d have?' % (100 + n), 'answer': '%d windows' % (3 + n), 'source': 'room%d.md' % n}) + '\n')
shell python3 make.py && mkdir docs && mv room*.md docs
run loam ingest docs --quiet
run loam improve qa --data questions.jsonl --trials 10 --baseline-only --json
expect exit 1
expect json /task == "qa"
expect json /metric == "worth"
expect json /trials <= 10
expect json /end == "current settings are best"
expect json /held_out is null
expect json /adopted == false
expect json /tried/length > 1
run loam ledger list qa --json
expect json /runs/0/config/split == "dev"
run loam ledger --task improve --json
expect json /runs/length == 1
run loam improve qa --data questions.jsonl --trials 10 --baseline-only
expect exit 1
expect out contains 7 from before
expect out contains so they stay
expect out columns 80
