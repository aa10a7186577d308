"""What is printed: posters and sheets of codes as PDF, QR codes as PNG. Draws words
that it is given and knows no merchant; each file is the same for the same words.
"""
