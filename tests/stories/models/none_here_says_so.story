models none
run loam models
expect exit 1
expect out contains loam models list --all
run loam generate hello
expect exit 2
expect err contains loam models pull
expect err lines 1
