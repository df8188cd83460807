# What cannot be judged by is refused, with what to do.
file unlabelled.csv:
    id,text
    1,one thing
    2,another thing
    3,a third thing
run loam advise unlabelled.csv
expect exit 2
expect err contains no column holds labels that repeat
expect err contains --label COL
run loam advise missing.csv
expect exit 2
expect err contains missing.csv
file one.csv:
    text,label
    a first text,yes
    a second text,yes
    a third text,yes
    a fourth text,yes
run loam advise one.csv --text text --label label
expect exit 2
expect err contains nothing to tell apart
file answers.toml:
    [advise]
    volume = "many"
run loam advise one.csv --answers answers.toml
expect exit 2
expect err contains answers.toml line 2
file other.toml:
    [ask]
    passages = 2
run loam advise one.csv --answers other.toml
expect exit 2
expect err contains is no question of loam advise
