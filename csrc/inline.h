/* How the kernel variants ask the compiler to see a layer's constants. */
#ifndef OCTAVO_INLINE_H
#define OCTAVO_INLINE_H

/* Parts of a kernel, always inlined so that the compiler sees a layer's constants; OCTAVO_KERNEL is the kernel itself.
   OCTAVO_SHARED is a model's function around a kernel that several layers call: one copy, for any constants. */
#if defined(__GNUC__) && !defined(__clang__)
#define OCTAVO_INLINE static inline __attribute__((always_inline))
#define OCTAVO_SHARED __attribute__((noinline, noclone))
#elif defined(__GNUC__)
#define OCTAVO_INLINE static inline __attribute__((always_inline))
#define OCTAVO_SHARED __attribute__((noinline))
#else
#define OCTAVO_INLINE static inline
#define OCTAVO_SHARED
#endif
#ifndef OCTAVO_KERNEL
#define OCTAVO_KERNEL OCTAVO_INLINE
#endif

/* Before a loop of few iterations: written out, so that arrays it indexes become registers. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__OPTIMIZE__)
#define OCTAVO_UNROLL _Pragma("GCC unroll 16")
#define OCTAVO_UNROLL_FOUR _Pragma("GCC unroll 4")
#else
#define OCTAVO_UNROLL
#define OCTAVO_UNROLL_FOUR
#endif

#endif /* OCTAVO_INLINE_H */
