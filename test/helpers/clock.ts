/**
 * A clock that tests wind: what is scheduled runs when they say that its time has come.
 * @module
 */

export class Clock {
  #waiting: { at: number; run: () => void }[] = []
  #now = 0

  readonly schedule = (run: () => void, ms: number): (() => void) => {
    const timer = { at: this.#now + ms, run }
    this.#waiting.push(timer)
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== timer)
    }
  }

  get timers(): number {
    return this.#waiting.length
  }

  /** Lets time pass; what falls due runs, also what that schedules. */
  advance(ms: number): void {
    this.#now += ms
    for (let due = this.#due(); due !== undefined; due = this.#due()) {
      this.#waiting = this.#waiting.filter((other) => other !== due)
      due.run()
    }
  }

  #due(): { at: number; run: () => void } | undefined {
    return this.#waiting.find((timer) => timer.at <= this.#now)
  }
}
