"""Looking inside: what alignment did to an encoder. Numbers and the data of pictures; the report draws them."""
