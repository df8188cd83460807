file taken: not a folder
file a.md: Words.
run loam --home $WORK/taken/home ingest a.md
expect exit 2
expect err contains taken/home
expect err lines 1
