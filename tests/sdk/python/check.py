"""LINE's Python SDK as a client of the sandbox: every operation it has, area by area. check.py SANDBOX_URL"""

import chat
import menus
import others
import records
import send
import tokens


def main():
    stage = chat.walk()
    send.walk(stage)
    records.walk(stage)
    menus.walk(stage)
    others.walk(stage)
    tokens.walk(stage)
    print("python: line-bot-sdk is content")


if __name__ == "__main__":
    main()
