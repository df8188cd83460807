shell loam man > /dev/full
expect exit 2
expect err contains standard output
expect err lines 1
