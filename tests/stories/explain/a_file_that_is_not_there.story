file leave.md: Employees have 27 days of annual leave.
ingest leave.md
run loam explain "annual leave" nosuch.md
expect exit 2
expect err contains nosuch.md
expect err lines 1
