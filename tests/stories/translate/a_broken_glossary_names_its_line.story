file a.md: Pay the invoice.
file one.csv: only one column\ninvoice
run loam translate --to fr --glossary one.csv a.md
expect exit 2
expect err contains two columns
file open.csv: source,target\ninvoice,facture\n"paper,papier
run loam translate --to fr --glossary open.csv a.md
expect exit 2
expect err contains open.csv line 3
file twice.csv: source,target\ninvoice,facture\nInvoice,note
run loam translate --to fr --glossary twice.csv a.md
expect exit 2
expect err contains twice.csv line 3
