# proves P-CLI-02: flag over settings file over default.
config [search]; hits = 1
file a.md: Green tea.
file b.md: Black tea.
ingest a.md b.md
search tea
expect json /hits/length == 1
run loam search --hits 2 --json tea
expect json /hits/length == 2
run loam settings
expect exit 0
expect out matches search.hits +1 +line 2
