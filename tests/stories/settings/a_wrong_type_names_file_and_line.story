config [ask]; passages = "three"
run loam collections
expect exit 2
expect err matches config.toml line 2
expect err contains a whole number
