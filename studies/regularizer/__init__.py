"""``make regularizer-study``: does the regularizer buy anything that a smaller lambda would not?"""
