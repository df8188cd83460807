run loam --help
expect out lacks agent
expect out lacks route
run loam agent
expect exit 2
