run loam ask "What is the door code?"
expect exit 2
expect out empty
expect err contains loam ingest
expect err lines 1
run loam search "door code"
expect exit 2
run loam explain "door code" a.md
expect exit 2
