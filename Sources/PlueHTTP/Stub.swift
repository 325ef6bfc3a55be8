// PlueHTTP
