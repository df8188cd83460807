shell loam man | head -1
expect exit 0
expect err empty
expect out lines 1
