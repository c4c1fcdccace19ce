"""Where a data set is to be had, and the download of what has a public plain address."""
