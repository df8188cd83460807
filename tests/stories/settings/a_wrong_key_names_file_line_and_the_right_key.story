# proves P-CLI-03
config [ask]; passages = 3; pasages = 4
run loam settings
expect exit 2
expect err matches config.toml line 3
expect err contains ask.passages
expect err lines 1
