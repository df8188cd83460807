run loam doctor
expect exit 0
expect out contains Machine
expect out contains PDF
expect out columns 80
run loam doctor --json
expect exit 0
expect json /ready == true
expect json /machine/cores > 0
expect json /models/chat is text
