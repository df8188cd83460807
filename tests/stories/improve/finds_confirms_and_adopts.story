# proves P-IMPROVE-09, P-IMPROVE-11: what is adopted is what ask uses from then on, and it can be taken back.
# These questions say things in other words than the documents, so that the default threshold withholds answers
# that would have been right.
file make.py:
    import json
    questions = open('questions.jsonl', 'w')
    for house in range(20):
        text = '# House %d\n\n' % house
        for n in range(2 * house, 2 * house + 2):
            text += 'The room number %d has %d windows and a view of the yard.\n\n' % (100 + n, 3 + n)
            for i, asked in enumerate(['How many openings has chamber number %d?', 'Count of glass openings of the room %d']):
                questions.write(json.dumps({'id': '%d-%d' % (n, i), 'question': asked % (100 + n), 'answer': '%d windows' % (3 + n), 'source': 'house%d.md' % house}) + '\n')
        open('house%d.md' % house, 'w').write(text)
shell python3 make.py && mkdir docs && mv house*.md docs
run loam ingest docs -c houses --quiet
run loam ask -c houses --baseline-only --json "How many openings has chamber number 112?"
expect exit 1
run loam improve qa --data questions.jsonl -c houses --baseline-only --trials 60 --keep ingest.passage_tokens --keep ingest.overlap_sentences --json
expect exit 0
expect json /end == "better"
expect json /adopted == true
expect json /winner/changes/ask.min_confidence == "0.1"
expect json /held_out/p < 0.05
expect json /held_out/difference/low > 0
expect json /held_out/look == 1
expect json /trials <= 60
expect json /grouped_by == "document"
expect json /run is number
# In force for ask; explain, doctor and settings say where it comes from.
run loam ask -c houses --baseline-only --json "How many openings has chamber number 112?"
expect exit 0
run loam ask -c houses --baseline-only --json --min-confidence 0.3 "How many openings has chamber number 112?"
expect exit 1
run loam explain -c houses "Which room has 15 windows?" house6.md
expect exit 0
expect out contains Adopted settings: ask.min_confidence 0.1
run loam settings -c houses
expect out matches ask.min_confidence +0.1 +run \d+
run loam doctor --json
expect json /store/adopted/0/collection == "houses"
expect json /store/adopted/0/settings/ask.min_confidence == "0.1"
run loam improve --history --report gains.html
expect out contains least confidence 0.1
expect out contains adopted
expect out columns 80
expect file gains.html contains <svg
expect file gains.html contains Content-Security-Policy
run loam improve --history --report gains.svg --json
expect json /searches/0/adopted == true
expect file gains.svg contains <svg
# The held-out part has been seen: a second look has to be asked for.
run loam improve qa --data questions.jsonl -c houses --baseline-only --trials 6
expect exit 2
expect err contains --again
expect err lines 1
# A settings file goes before what was adopted, and what it says is not varied.
config [ask]; min_confidence = 0.3
run loam ask -c houses --baseline-only --json "How many openings has chamber number 112?"
expect exit 1
run loam improve qa --data questions.jsonl -c houses --baseline-only --trials 4 --dry-run
expect exit 1
expect err contains ask.min_confidence is set in
config
run loam improve --undo -c houses
expect exit 0
expect out contains ask.min_confidence is the default again
run loam ask -c houses --baseline-only --json "How many openings has chamber number 112?"
expect exit 1
run loam improve --undo -c houses
expect exit 1
run loam improve --history --json
expect json /searches/0/taken_back == true
