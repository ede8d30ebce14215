// The patterns of bench/threads.bench.ts with the malloc of C:  threads PATTERN THREADS SECONDS   ->  million operations a second, best window
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define OWN 1000
#define TABLE 4096
#define RING 4096
#define BATCH 64
#define THREADS_MOST 8

static _Atomic int go, stop;
static struct { _Alignas(128) _Atomic long count; } ops[THREADS_MOST];
static struct { _Alignas(128) _Atomic unsigned head; _Alignas(128) _Atomic unsigned tail; _Alignas(128) void *slot[RING]; } rings[THREADS_MOST];
static _Atomic(void *) table[TABLE];
static int sizes[1024];
static int own, handed;

static unsigned next(unsigned *state) { *state = *state * 1103515245u + 12345u; return *state >> 8; }
static void *make(unsigned *state) { int *block = malloc(sizes[next(state) & 1023]); *block = 1; return block; }
static void add(long id, long count) { atomic_fetch_add_explicit(&ops[id].count, count, memory_order_relaxed); }

static void run_pairs(long id) {
  void *blocks[OWN];
  while (!atomic_load(&stop)) {
    for (int i = 0; i < OWN; i++) { blocks[i] = malloc(64); *(int *)blocks[i] = i; }
    for (int i = 0; i < OWN; i++) free(blocks[i]);
    add(id, OWN);
  }
}

static void run_own(long id, unsigned state) {
  void *blocks[OWN];
  for (int i = 0; i < OWN; i++) blocks[i] = make(&state);
  while (!atomic_load(&stop)) {
    for (int i = 0; i < OWN; i++) { unsigned k = next(&state) % OWN; free(blocks[k]); blocks[k] = make(&state); }
    add(id, OWN);
  }
}

static void run_handed(long id, unsigned state) {
  while (!atomic_load(&stop)) {
    for (int i = 0; i < OWN; i++) {
      void *block = make(&state);
      void *old = atomic_exchange(&table[next(&state) % TABLE], block);
      if (old) free(old);
    }
    add(id, OWN);
  }
}

static void run_produce(long id, unsigned state) {
  void *blocks[BATCH];
  unsigned head = 0;
  typeof(rings[0]) *ring = &rings[id / 2];
  while (!atomic_load(&stop)) {
    for (int i = 0; i < BATCH; i++) blocks[i] = make(&state);
    while (head - atomic_load(&ring->tail) > RING - BATCH) if (atomic_load(&stop)) return;
    for (int i = 0; i < BATCH; i++) ring->slot[(head + i) & (RING - 1)] = blocks[i];
    head += BATCH;
    atomic_store(&ring->head, head);
    add(id, BATCH);
  }
}

static void run_consume(long id) {
  unsigned tail = 0;
  typeof(rings[0]) *ring = &rings[id / 2];
  while (!atomic_load(&stop)) {
    unsigned head = atomic_load(&ring->head);
    for (; tail != head; tail++) free(ring->slot[tail & (RING - 1)]);
    atomic_store(&ring->tail, tail);
  }
}

static void *work(void *argument) {
  long id = (long)argument;
  unsigned state = id * 7919 + 1;
  while (!atomic_load(&go)) sched_yield();
  if (own == 0) run_pairs(id);
  else if (own == 1) run_own(id, state);
  else if (handed) run_handed(id, state);
  else if (id % 2 == 0) run_produce(id, state);
  else run_consume(id);
  return 0;
}

int main(int count, char **words) {
  (void)count;
  const char *pattern = words[1];
  int threads = atoi(words[2]);
  double seconds = atof(words[3]);
  handed = !strncmp(pattern, "handed", 6);
  own = !strcmp(pattern, "own 64") ? 0 : !strncmp(pattern, "own", 3) ? 1 : 2;
  int mixed = strstr(pattern, "mixed") != 0, fixed = strstr(pattern, "64") != 0;
  for (int i = 0; i < 1024; i++) {
    int m = (i * 613) % 1024;
    sizes[i] = fixed ? 64 : mixed ? (m < 512 ? 16 + m * 2 : 1024 + (m - 512) * 62) : 16 + (i * 37) % 1009;
  }
  pthread_t ids[THREADS_MOST];
  for (long i = 0; i < threads; i++) pthread_create(&ids[i], 0, work, (void *)i);
  atomic_store(&go, 1);
  double best = 0, total = 0;
  long before = 0;
  struct timespec then, at;
  clock_gettime(CLOCK_MONOTONIC, &then);
  while (total < seconds) {
    usleep(10000);
    long sum = 0;
    for (int i = 0; i < threads; i++) sum += atomic_load(&ops[i].count);
    clock_gettime(CLOCK_MONOTONIC, &at);
    double passed = at.tv_sec - then.tv_sec + (at.tv_nsec - then.tv_nsec) * 1e-9;
    double rate = (sum - before) / passed / 1e6;
    if (total > 0.2 && rate > best) best = rate;
    total += passed; before = sum; then = at;
  }
  atomic_store(&stop, 1);
  for (int i = 0; i < threads; i++) pthread_join(ids[i], 0);
  printf("%.2f\n", best);
  return 0;
}
