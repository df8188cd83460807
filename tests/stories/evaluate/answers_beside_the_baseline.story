# proves P-EVAL-40
file leave.md: Full-time employees have 27 days of annual leave a year.\n\nThe canteen serves lunch from noon to two.
file questions.jsonl:
    {"id":"1","question":"How many days of annual leave do full-time employees have?","answer":"27 days","accept":["27"],"source":"leave.md","quote":"Full-time employees have 27 days of annual leave a year."}
    {"id":"2","question":"What does parking cost?","answer":null}

ingest leave.md
run loam eval qa questions.jsonl --baseline-only --json
expect exit 0
expect json /task == "qa"
expect json /runs/length == 1
expect json /runs/0/name == "extractive baseline"
expect json /runs/0/metrics/holds/n == 1
expect json /runs/0/metrics/coverage/value is number
expect json /runs/0/metrics/aurc/value is number
expect json /runs/0/run is number
run loam eval qa questions.jsonl -c nosuch --baseline-only
expect exit 2
