file my.toml: [search]\nhits = 1
file a.md: Green tea.
file b.md: Black tea.
ingest a.md b.md
run loam search --config my.toml --json tea
expect json /hits/length == 1
env LOAM_CONFIG=$WORK/my.toml
run loam search --json tea
expect json /hits/length == 1
run loam search --config nosuch.toml tea
expect exit 2
expect err contains nosuch.toml
