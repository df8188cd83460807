# proves P-CLI-05
file notes.md: The spare key lies in the \x1b[31mblue\x1b[0m cabinet.
ingest notes.md
shell loam ask --baseline-only "Where does the spare key lie?" | od -An -c
expect out lacks 033
shell loam search "spare key" | od -An -c
expect out lacks 033
