# proves P-CLI-08
fill docs/a.md 3000: The storehouse holds many different things, and each of them has its own number and its own shelf.
fill docs/b.md 3000: The second storehouse holds other things, and nobody has counted them since last summer.
fill docs/c.md 3000: A third one stands empty.
interrupt-after 2 loam ingest --json docs
expect exit 1
expect err contains kept
run loam check
expect exit 0
