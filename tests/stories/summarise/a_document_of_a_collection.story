file leave.md: Full-time employees have 27 days of leave. Leave must be asked for two weeks before. Unused leave ends in March.
ingest -c staff leave.md
run loam summarise -c staff leave.md --baseline-only --sentences 1 --json
expect exit 0
expect json /citations/0/source == "leave.md"
expect quotes-match
run loam summarise -c staff nosuch.md --baseline-only
expect exit 2
expect err contains no such document
