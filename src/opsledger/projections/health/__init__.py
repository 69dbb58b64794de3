"""How customers fare: scores, what they rest on, and how they would have foretold."""
