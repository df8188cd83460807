file a.md: Words about tea.
ingest a.md
run loam check
expect exit 0
expect out contains The store is sound
run loam check --json
expect json /sound == true
expect json /problems == []
