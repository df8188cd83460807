config [ask]; answer_tokens = 16
file leave_policy.md:
    # Leave policy

    ## Annual leave
    Full-time employees have 27 days of annual leave a year. Unused leave expires on 31 March of the next year.

    ## Parental leave
    The other parent gets 8 weeks of paid parental leave. It must be announced 3 months before it begins.

ingest leave_policy.md
run loam ask --show-prompt "How many days of annual leave do full-time employees have?"
expect exit 0
expect out contains Prompt (
expect out contains Full-time employees have 27 days of annual leave a year.
run loam ask --show-prompt --json "How many days of annual leave do full-time employees have?"
expect exit 0
expect json /prompt contains "How many days of annual leave"
