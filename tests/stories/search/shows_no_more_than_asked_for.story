file a.md: Green tea.
file b.md: Black tea.
file c.md: White tea.
ingest a.md b.md c.md
run loam search -k 2 --json tea
expect exit 0
expect json /hits/length == 2
run loam search -k 0 tea
expect exit 2
expect err contains a whole number from 1 to 1000
