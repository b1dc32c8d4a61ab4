/**
 * What a program prints besides what it logs for information, whose lines say when they were
 * written. A warning or an error stays: nobody expects one.
 */
export const withoutLog = (output: string): string =>
  output.replace(
    /^timestamp=\S+ level=INFO .*\n|^\[\d\d:\d\d:\d\d\.\d{3}\] INFO .*\n(?: {2}\S+: .*\n)*/gm,
    ""
  )
