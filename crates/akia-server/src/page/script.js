// What pages do without.
