run loam man
expect exit 0
expect out contains .TH LOAM 1
expect out contains \-\-show\-prompt
expect out contains LOAM_HOME
