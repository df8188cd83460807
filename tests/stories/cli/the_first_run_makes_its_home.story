file a.md: Words about tea.
run loam --home $WORK/new/home ingest a.md
expect exit 0
expect file new/home/loam.db
run loam --home $WORK/new/home search tea --json
expect json /hits/length == 1
