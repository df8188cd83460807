models none
file a.md: Words.
run loam ingest a.md
expect exit 2
expect err contains loam models pull
expect err lines 1
