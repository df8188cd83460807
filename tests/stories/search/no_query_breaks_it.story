file a.md: The annual leave is 27 days.
ingest a.md
run loam search --json "\"leave OR (NEAR* AND"
expect exit 0
run loam search --json "'; DROP TABLE passages; --"
expect json /hits is list
run loam search --json "🚲🚲🚲"
expect json /hits is list
run loam check
expect exit 0
