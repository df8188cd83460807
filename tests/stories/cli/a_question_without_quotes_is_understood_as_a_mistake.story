run loam ask What does parking cost
expect exit 2
expect err contains loam ask "What does parking cost"
