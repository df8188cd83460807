run loam --help
expect out lacks serve
expect out lacks agent
run loam serve
expect exit 2
