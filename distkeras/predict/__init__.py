"""``distkeras predict``: raw rows of files, scored by a saved model.

``scorer`` loads the model, ``columns`` says which columns are appended, ``alone`` predicts in this
process and ``with_spark`` in a Spark job; both write what ``files`` makes appear whole.
"""
