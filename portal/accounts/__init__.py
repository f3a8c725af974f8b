"""Accounts and signing in: passwords, codes of a second factor, links that set a password, how often may be tried.

Admins look after accounts and the tokens of programs here, and everybody after their own.
"""

__all__ = ["pages"]

from portal.accounts import own_page, recovery, setup, token_pages, user_pages

pages = (own_page.pages, recovery.pages, setup.pages, token_pages.pages, user_pages.pages)
