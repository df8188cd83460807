# proves P-CLI-04
run loam serach tea
expect exit 2
expect out empty
expect err is loam: bad request: loam serach: there is no such verb. Try: loam search
run loam xylophone
expect exit 2
expect err contains loam --help
