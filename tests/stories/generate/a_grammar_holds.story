file yesno.gbnf: root ::= "yes" | "no"
run loam generate --grammar yesno.gbnf "Is water wet?"
expect exit 0
expect out matches ^(yes|no)$
file bad.gbnf: root ::= ((
run loam generate --grammar bad.gbnf "Is water wet?"
expect exit 2
expect err lines 1
run loam generate --grammar nosuch.gbnf "Is water wet?"
expect exit 2
expect err contains nosuch.gbnf
