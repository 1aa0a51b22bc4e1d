"""What `paybridge check` tries, one module for each part of a store. All of it moves no money."""
