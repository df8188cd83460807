bytes empty.md: \n\n
run loam translate --to fr empty.md
expect exit 1
expect err contains no text
file table.csv: a,b\n1,2
run loam translate --to fr table.csv
expect exit 2
expect err contains --column
