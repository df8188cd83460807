file leave.md: Employees have 27 days of annual leave.
file car.md: The parking garage is open from six in the morning.
ingest leave.md car.md
run loam explain --json "How much annual leave is there?" leave.md
expect exit 0
expect json /shown == true
expect json /source == "leave.md"
expect json /stages/0/name is text
expect json /stages/0/rank == 1
expect json /sentence is text
expect json /matched_terms contains "leave"
run loam explain "How much annual leave is there?" leave.md
expect exit 0
expect out contains STAGE
expect out contains Best passage
expect out columns 80
