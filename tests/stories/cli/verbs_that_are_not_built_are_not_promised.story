run loam --help
expect out lacks serve
expect out lacks agent
expect out lacks train
run loam serve
expect exit 2
