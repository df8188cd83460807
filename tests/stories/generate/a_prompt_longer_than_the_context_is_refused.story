fill long.txt 400: The quick brown fox jumps over the lazy dog again and again.
shell loam generate --ctx 256 - < long.txt
expect exit 2
expect err matches out of room: .*256
expect err lines 1
expect out empty
